"""PaymentProvider on Stripe; needs the extra `emporion[stripe]`."""

from emporion.services.payment.adapters.stripe.provider import StripeConfig, StripeProvider

__all__ = ["StripeConfig", "StripeProvider"]
