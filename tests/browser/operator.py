"""What an operator does in a browser, and the traffic of a shop that is worth looking at."""

import asyncio
import re

from playwright.async_api import Page

from tests.api.shopfront import NOBODY, PASSWORD, Person, Shopfront

DECLINED = {"lines": [{"sku": "croissant", "quantity": 1}], "payment_token": "tok_declined"}
CONSOLE = re.compile("/console")


async def sign_in(page: Page, front: Shopfront, at: str = "/console") -> None:
    """Go to a page of the console and in by the form that is shown there; back at the page."""
    settings = front.shop.settings
    await page.goto(at)
    await page.get_by_label("E-mail address").fill(settings.operator_email)
    await page.get_by_label("Password").fill(settings.operator_password)
    await page.get_by_role("button", name="Sign in").click()
    await page.wait_for_url(lambda url: "/console/sign-in" not in url)


async def trade(
    front: Shopfront, *, rounds: int = 1, pause_s: float = 0.0, name: str = "t"
) -> None:
    """Shoppers look around and buy; one card is declined. Waits for what comes of it."""
    people = [await front.person(f"shopper-{number}") for number in range(3)]
    for number in range(rounds):
        await asyncio.gather(
            *(_looks(front) for _ in range(4)),
            *(
                front.order(people[place], f"{name}-{number}-{place}")
                for place in range(1 + number % 3)
            ),
        )
        await asyncio.sleep(pause_s)
    _ = await front.json(people[0], "POST", "/api/orders", DECLINED, idempotency_key=f"{name}-no")
    await front.until_quiet()


async def _looks(front: Shopfront) -> None:
    assert (await front.send(NOBODY, "GET", "/api/products")).status == 200


async def customer(front: Shopfront) -> tuple[str, str]:
    """The address and password of an account that is no operator's."""
    person: Person = await front.person("customer")
    return person.email, PASSWORD
