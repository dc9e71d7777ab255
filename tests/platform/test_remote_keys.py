"""Keys of access tokens are learned from the user service, and outlive its absence."""

import pytest

from emporion.chassis.auth.keys import PublicKey
from emporion.chassis.testing.time import ManualClock, manual_runtime
from emporion.contracts.user import Jwk, Jwks, Nothing
from emporion.kernel.errors import Unavailable
from emporion.platform.remote_keys import RENEWED_EVERY_MS, TRIED_EVERY_MS, RemoteKeys


class Users:
    """A user service that may be away."""

    def __init__(self) -> None:
        self.kids = ["k1"]
        self.is_away = False
        self.asked = 0

    async def jwks(self, request: Nothing) -> Jwks:
        """Its keys."""
        self.asked += 1
        if self.is_away:
            raise Unavailable("user does not answer")
        keys = [Jwk(kid=kid, kty="OKP", crv="Ed25519", x="x", alg="Ed25519") for kid in self.kids]
        return Jwks(keys=keys)


@pytest.fixture
def users() -> Users:
    return Users()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def keys(users: Users, clock: ManualClock) -> RemoteKeys:
    return RemoteKeys(users, manual_runtime(clock))  # type: ignore[arg-type] # one method of it


async def test_while_no_key_is_known_the_user_service_is_asked_again_soon(keys, users, clock):
    users.is_away = True

    due_ms = await keys.alarm._run_due()

    assert keys.keys() == ()
    assert due_ms == clock.now_ms() + TRIED_EVERY_MS
    with pytest.raises(Unavailable):
        await keys.probe()


async def test_known_keys_stay_while_the_user_service_is_away(keys, users, clock):
    await keys.alarm._run_due()
    known = keys.keys()
    users.is_away = True

    due_ms = await keys.alarm._run_due()

    assert keys.keys() is known
    assert known == (PublicKey("k1", "x"),)
    assert due_ms == clock.now_ms() + RENEWED_EVERY_MS
    await keys.probe()


async def test_the_tuple_changes_only_when_a_key_does(keys, users):
    await keys.alarm._run_due()
    known = keys.keys()
    await keys.alarm._run_due()
    assert keys.keys() is known

    users.kids = ["k2", "k1"]
    await keys.alarm._run_due()

    assert keys.keys() == (PublicKey("k2", "x"), PublicKey("k1", "x"))
