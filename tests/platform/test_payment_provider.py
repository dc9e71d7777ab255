"""Which payment provider a shop uses is a matter of its settings, and what they lack is said."""

from pathlib import Path
from typing import Any, cast

import pytest

from emporion.chassis.runtime.assembly import Needs
from emporion.chassis.testing.time import manual_runtime
from emporion.platform.services import Given, _provider
from emporion.platform.settings import Provider, Settings, UnknownSetting, load
from emporion.services.payment.adapters.stripe import StripeConfig, StripeProvider


def chosen(tmp_path: Path, **settings: Any) -> Any:
    """The provider that these settings stand for."""
    nothing = cast("Any", None)
    needs = Needs(runtime=manual_runtime(), database=nothing, clients=nothing, sagas=nothing)
    return _provider(Given(needs, Settings(**settings), is_sole_writer=True, shared=tmp_path))


def test_without_a_setting_it_is_the_test_provider(tmp_path):
    assert chosen(tmp_path).name == "rehearsal"


def test_the_key_may_stand_in_a_file(tmp_path):
    (tmp_path / "key").write_text("sk_test_1\n")
    (tmp_path / "secret").write_text("whsec_1\n")

    provider = chosen(
        tmp_path,
        payment_provider=Provider.STRIPE,
        payment_key_file=str(tmp_path / "key"),
        payment_webhook_secret_file=str(tmp_path / "secret"),
    )

    assert isinstance(provider, StripeProvider)
    assert provider._config == StripeConfig("sk_test_1", "whsec_1")


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"payment_key_file": "/nowhere/key"},
        {"payment_key": "sk_1", "payment_key_file": "/nowhere/key"},
    ],
)
def test_stripe_without_a_key_that_can_be_read_does_not_start(tmp_path, settings):
    with pytest.raises(UnknownSetting):
        chosen(tmp_path, payment_provider=Provider.STRIPE, **settings)


def test_an_unknown_provider_is_an_error():
    with pytest.raises(UnknownSetting):
        load(environ={"EMPORION_PAYMENT_PROVIDER": "paypall"})
