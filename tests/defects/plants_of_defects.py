"""The defects 1 to 18 of other shops, put back into ours."""

from tests.defects.plant import Edit, plant

_ORDERS = "services/order/commands/orders.py"
_CARTS = "services/order/commands/carts.py"
_ORDER_STORE = "services/order/adapters/sql.py"
_CHARGES = "services/payment/commands/charges.py"
_DECIDING = "services/payment/commands/deciding.py"
_STRAYS = "services/payment/commands/strays.py"
_PAYMENT = "services/payment/domain/payment.py"
_HOLDS = "services/inventory/adapters/sql/holds.py"
_STOCK = "services/inventory/domain.py"
_ENGINE = "chassis/saga/engine.py"
_INBOX = "chassis/events/inbox.py"
_PUMP = "chassis/events/pump.py"
_IDENTITY = "chassis/auth/identity.py"
_TRANSACTION = "chassis/data/sqlite/transaction.py"

_EVERY_EVENT_IS_NEW = Edit(
    _PUMP,
    """
-        duplicates = len(ready) - len(fresh)
+        fresh, duplicates = {item.event_id for item in ready}, 0
""",
)

MONEY = (
    plant(
        "the charge has no undo",
        "test_money.py::test_defect_01_a_charge_is_given_back_when_a_later_step_fails",
        Edit(
            "services/order/sagas/orders.py",
            """
                 do=order.unless_called_off(payment.charge),
-                undo=payment.refund,
""",
        ),
    ),
    plant(
        "the engine forgets to undo",
        "test_money.py::test_defect_01_a_charge_is_given_back_when_a_later_step_fails",
        Edit(
            _ENGINE,
            """
-                await step.undo(run.input)
+                pass
""",
        ),
    ),
    plant(
        "a compensation that failed counts as done",
        "test_money.py::test_defect_01_a_refund_that_fails_is_repeated_until_the_money_is_back",
        Edit(
            _ENGINE,
            """
-                await step.undo(run.input)
+                await asyncio.gather(step.undo(run.input), return_exceptions=True)
""",
        ),
    ),
    plant(
        "every request gets a key of its own",
        "test_money.py::test_defect_02_a_retry_neither_orders_nor_charges_twice",
        Edit(
            _ORDERS,
            """
-        key = f"{user_id}:{request.idempotency_key}"
+        key = self._runtime.ids.new("key")
""",
        ),
    ),
    plant(
        "every attempt gets a key of its own at the provider",
        "test_money.py::test_defect_02_a_charge_whose_answer_was_lost_is_repeated_under_its_key",
        Edit(
            "services/payment/domain/names.py",
            """
-    return f"charge-{order_id}"
+    return f"charge-{order_id}" + __import__("os").urandom(4).hex()
""",
        ),
    ),
    plant(
        "the key may be left out",
        "test_money.py::test_defect_02_an_order_without_a_key_is_refused",
        Edit(
            "chassis/http/binding.py",
            """
-            elif self._shape.rpc.is_key_required:
+            elif values.setdefault(self._key, "no-key") is None:
""",
        ),
    ),
    plant(
        "the refusal is not stored with the key",
        "test_money.py::test_defect_03_a_failed_order_is_remembered_as_failed",
        Edit(
            "chassis/saga/journal.py",
            """
-        return errors.from_wire(_decode_error(self.refusal)) if self.refusal else None
+        return None
""",
        ),
    ),
    plant(
        "the key is stored though the command failed",
        "test_money.py::test_defect_03_a_failed_add_to_a_cart_leaves_its_key_unused",
        Edit(
            _CARTS,
            """
         try:
             return await self._database.transaction(work)
+        except CartFull:
+            sql = "INSERT INTO idempotency VALUES (?, ?, 0)"
+            key = f"cart:{user_id}:{request.idempotency_key}"
+            content = f"{request.sku} {request.quantity}".encode()
+            await self._database.transaction(lambda tx: tx.execute(sql, key, content))
+            raise
         except FingerprintDiffers as error:
""",
        ),
    ),
    plant(
        "the second answer captures again",
        "test_money.py::test_defect_09_a_provider_that_answers_twice_captures_once",
        Edit(
            _DECIDING,
            """
-    if not payment.is_open:
-        return
     match answer:
""",
        ),
        Edit(
            _STRAYS,
            """
-            if known.status is Status.PENDING:
+            if known.status is not Status.NEW:
                 known = await self._recorder.change(
                     order_id, lambda payment: decide(payment, answer, known)
""",
        ),
        Edit(
            _PAYMENT,
            """
+        (Status.CAPTURED, Captured): Status.CAPTURED,
         (Status.PENDING, Captured): Status.CAPTURED,
""",
        ),
        Edit(
            "services/payment/adapters/sql.py",
            """
-    "INSERT INTO ledger_transfer"
-    " (payment_id, kind, debit_account, credit_account, amount_minor, currency, at_ms, refund_id)"
-    " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
+    "INSERT INTO ledger_transfer"
+    " (payment_id, kind, debit_account, credit_account, amount_minor, currency, at_ms, refund_id)"
+    " VALUES (? || abs(random()), ?, ?, ?, ?, ?, ?, ?)"
""",
        ),
    ),
    plant(
        "a late answer is thanked for and dropped",
        "test_money.py::test_defect_09_an_answer_that_comes_late_still_makes_the_order",
        Edit(
            _STRAYS,
            """
-            if known.status is Status.PENDING:
+            if known.status is Status.NEW:
                 known = await self._recorder.change(
                     order_id, lambda payment: decide(payment, answer, known)
""",
        ),
    ),
    plant(
        "money that comes for a voided payment is kept",
        "test_money.py::test_defect_09_money_that_comes_for_a_given_up_order_goes_back",
        Edit(
            _STRAYS,
            """
-                elif known.status is Status.VOIDED:
+                elif known.status is Status.NEW:
""",
        ),
    ),
    plant(
        "money that comes after a decline is kept",
        "test_money.py::test_defect_09_money_that_comes_after_a_decline_goes_back",
        Edit(
            _STRAYS,
            """
-                elif known.status is Status.DECLINED:
+                elif known.status is Status.NEW:
""",
        ),
    ),
    plant(
        "the run that lost the race refunds the winner's payment",
        "test_money.py::test_defect_09_a_run_that_lost_the_race_leaves_the_winners_payment_alone",
        Edit(
            _ENGINE,
            """
         if existing is not None:
+            winner = msgspec.structs.replace(start.input_, order_id=existing.saga_id)
+            await saga.steps[2].undo(winner)
             self._active.pop(run.saga_id, None)
""",
        ),
    ),
    plant(
        "the price is taken from the request",
        "test_money.py::test_defect_10_a_price_or_total_in_a_request_is_refused",
        Edit(
            "contracts/inventory.py",
            '''
 class Line(Part, frozen=True, kw_only=True):
     """So many units of a SKU."""
+
+    unit_price: dict | None = None
''',
        ),
        Edit(
            "services/catalog/queries/baskets.py",
            """
-        prices = [quotes[line.sku].price for line in lines]
+        prices = [
+            Money(**line.unit_price) if line.unit_price else quotes[line.sku].price
+            for line in lines
+        ]
""",
        ),
    ),
    plant(
        "fields that nobody knows are let pass",
        "test_money.py::test_defect_10_a_price_or_total_in_a_request_is_refused",
        Edit(
            "contracts/contract.py",
            """
-class Part(Message, frozen=True, kw_only=True, gc=False, forbid_unknown_fields=True):
+class Part(Message, frozen=True, kw_only=True, gc=False):
""",
        ),
    ),
    plant(
        "the provider is asked inside a transaction",
        "test_money.py::test_defect_17_nothing_is_locked_while_the_provider_is_asked",
        Edit(
            _CHARGES,
            """
     async def _charge_first(self, request: Charge) -> StoredPayment:
-        answer = await self._ask(request)
+        answer = await self._recorder._database.transaction(lambda tx: self._ask(request))
""",
        ),
    ),
    plant(
        "all orders wait in one lane for the provider",
        "test_money.py::test_defect_17_a_provider_that_hangs_holds_up_its_own_orders_only",
        Edit(
            _CHARGES,
            '''
         """See PaymentService.charge."""
-        async with self._lanes.of(request.order_id):
+        async with self._lanes.of("one for all"):
''',
        ),
    ),
    plant(
        "a transaction waits for whatever its work waits for",
        "test_money.py::test_defect_17_a_transaction_cannot_wait_for_anything_but_itself",
        Edit(
            _TRANSACTION,
            """
     running.close()
-    raise Internal("a transaction awaited something that is not its own: nothing was written")
+    return cast("T", None)
""",
        ),
    ),
)

STOCK = (
    plant(
        "the level is read first and written later",
        "test_stock.py::test_defect_06_the_last_unit_goes_to_exactly_one_of_fifty_buyers",
        Edit(
            _HOLDS,
            """
+        answers: list[Hold | list[Shortage]] = []
+        for each in asked:
+            ((sku, quantity),), ((reserved, left),) = each.wanted.items(), stale[each.order_id]
+            if left < quantity:
+                answers.append([Shortage(sku, quantity, left)])
+                continue
+            await tx.execute("UPDATE level SET reserved = ?", reserved + quantity)
+            answers.append(each.held_in(WarehouseId("main")))
+            await _insert(tx, answers[-1], each.line)
+        return answers
         if len(asked) == 1:
""",
        ),
        Edit(
            _HOLDS,
            """
+        sql = "SELECT reserved, on_hand - reserved FROM level"
+        seen = await self._database.read(lambda tx: tx.fetch(sql))
+        globals().setdefault("stale", {})[order_id] = seen
         outcome = await self._together.run(asked)
         if isinstance(outcome, Hold):
""",
        ),
    ),
    plant(
        "what is released stays reserved",
        "test_stock.py::test_defect_06_what_buyers_give_back_is_sold_again_and_no_more",
        Edit(
            _HOLDS,
            """
     if effect(hold.status, status) is Effect.GIVE_BACK:
-        await give_back(tx, hold.allocations)
""",
        ),
    ),
    plant(
        "each line is checked alone",
        "test_stock.py::test_defect_07_two_lines_naming_one_item_are_checked_together",
        Edit(
            _STOCK,
            """
-        totals[sku] = totals.get(sku, 0) + quantity
+        totals[sku] = max(totals.get(sku, 0), quantity)
""",
        ),
    ),
    plant(
        "only the first warehouse counts",
        "test_stock.py::test_defect_08_an_order_is_filled_from_all_warehouses_together",
        Edit(
            _STOCK,
            """
-        available = sum(shelf.available for shelf in ranked)
+        available = ranked[0].available if ranked else 0
""",
        ),
    ),
    plant(
        "only the first warehouse gets its units back",
        "test_stock.py::test_defect_08_what_was_taken_from_several_warehouses_goes_back_to_each",
        Edit(
            "services/inventory/adapters/sql/levels.py",
            """
-        for sku, warehouse_id, quantity, departed in allocations
+        for sku, warehouse_id, quantity, departed in [*allocations][:1]
""",
        ),
    ),
)

EVENTS = (
    plant(
        "nothing relays what is in the outbox",
        "test_events.py::test_defect_04_what_is_published_is_delivered_without_being_asked_for",
        Edit(
            "platform/shop.py",
            """
-            database.on_published = self.bus.doorbell(name)
""",
        ),
    ),
    plant(
        "a reaction that raised is acknowledged",
        "test_events.py::test_defect_04_an_event_whose_reaction_fails_is_not_acknowledged",
        Edit(
            _PUMP,
            """
-            await self.inbox.park(tx, queued, failure if is_first else None, now_ms=now_ms)
+            await self.inbox.park(tx, queued, None, now_ms=now_ms)
""",
        ),
    ),
    plant(
        "the inbox is not asked",
        "test_events.py::test_defect_04_a_redelivered_event_is_recognised",
        _EVERY_EVENT_IS_NEW,
    ),
    plant(
        "events are published after the commit",
        "test_events.py::test_defect_05_at_no_instant_is_an_order_paid_whose_event_is_not_stored",
        Edit(
            _TRANSACTION,
            """
-            self._execute(outbox.INSERT, row)
+            vars(outbox).setdefault("late", []).append((self._execute, row))
""",
        ),
        Edit(
            "chassis/data/sqlite/group_commit.py",
            """
             tx.control("COMMIT")
+            from emporion.chassis.events import outbox
+            for execute, row in list(vars(outbox).get("late", [])):
+                if execute is tx._execute:
+                    outbox.late.remove((execute, row))
+                    execute(outbox.INSERT, row)
""",
        ),
    ),
    plant(
        "events wait in memory to be sent",
        "test_events.py::test_defect_05_an_event_outlives_a_crash_right_after_its_commit",
        Edit(
            _TRANSACTION,
            """
-            self._execute(outbox.INSERT, row)
+            vars(outbox).setdefault("unsent", []).append(row)
""",
        ),
    ),
    plant(
        "the cursor moves before the reaction has run",
        "test_events.py"
        "::test_defect_15_an_event_whose_handling_is_cut_off_is_handled_after_a_restart",
        Edit(
            _PUMP,
            """
+        await self._move_to(batch[-1].position)
         handled = await self._commit(work)
         self.position = self._stored = batch[-1].position
""",
        ),
        Edit(
            _PUMP,
            """
-            await self._advance(tx, batch[-1].position)
             return received, duplicates
""",
        ),
    ),
    plant(
        "two workers know nothing of each other",
        "test_events.py::test_defect_15_two_workers_of_one_subscriber_lose_and_repeat_nothing",
        _EVERY_EVENT_IS_NEW,
        Edit(
            _INBOX,
            """
         if not await tx.execute(ADVANCE, after, now_ms, *ends, generation, before):
-            raise CursorMoved
+            return
""",
        ),
    ),
    plant(
        "checkout calls the mail service",
        "test_events.py::test_defect_16_orders_go_on_while_the_mail_service_is_away",
        Edit(
            _IDENTITY,
            """
-    return Identity(Kind.SERVICE, name, frozenset({"internal"}))
+    return Identity(Kind.SERVICE, name, frozenset({"internal", "mails:read"}))
""",
        ),
        Edit(
            "services/order/service.py",
            """
+    from emporion.contracts.email import EmailService
+    orders._mails = needs.clients.get(EmailService)
     carts = CartCommands(needs.database, cart_store, catalog=catalog, clock=clock)
""",
        ),
        Edit(
            _ORDERS,
            """
-        return await self.take(taking, key=key, fingerprint=fingerprint)
+        from emporion.contracts.email import ListMails
+        order = await self.take(taking, key=key, fingerprint=fingerprint)
+        await self._mails.list_mails(ListMails(order_id=order.order_id))
+        return order
""",
        ),
    ),
    plant(
        "a mail that was sent is sent again",
        "test_events.py"
        "::test_defect_16_mails_leave_later_and_once_each_when_the_mail_server_was_away",
        Edit(
            "services/email/adapters/sql.py",
            """
-        await self._database.transaction(lambda tx: tx.execute_each(_SETTLE, rows))
+        await self._database.transaction(lambda tx: tx.execute_each(_SETTLE, rows[:0]))
""",
        ),
    ),
)

CARTS = (
    plant(
        "the cart is read first and written later",
        "test_carts.py::test_defect_13_parallel_adds_to_a_cart_all_count",
        Edit(
            _CARTS,
            """
         now_ms = self._clock.now_ms()
+        seen = await self.lines(user_id)

         async def work(tx: Tx) -> Cart:
             async def add() -> None:
-                await self._carts.add(tx, user_id, {request.sku: request.quantity}, at_ms=now_ms)
+                units = seen.get(request.sku, 0) + request.quantity
+                await self._carts.add(tx, user_id, {request.sku: units}, at_ms=now_ms)
""",
        ),
        Edit(
            _ORDER_STORE,
            """
-    " ON CONFLICT (user_id, sku) DO UPDATE SET quantity = cart_line.quantity + excluded.quantity"
+    " ON CONFLICT (user_id, sku) DO UPDATE SET quantity = excluded.quantity "
""",
        ),
    ),
    plant(
        "checking out empties whatever is in the cart by then",
        "test_carts.py::test_defect_13_what_is_added_while_checking_out_is_ordered_or_kept",
        Edit(
            _CARTS,
            """
             if await self._carts.lines(tx, user_id) != seen:
-                raise CartChanged
+                pass
""",
        ),
    ),
    plant(
        "a refused checkout loses the cart",
        "test_carts.py::"
        "test_defect_13_a_refused_checkout_gives_the_cart_back_beside_what_came_meanwhile",
        Edit(
            "services/order/commands/steps.py",
            """
-        if taking.is_from_cart:
+        if taking.is_from_cart is None:
""",
        ),
    ),
)

ACCESS = (
    plant(
        "whoever knows its id may read an order",
        "test_access.py::test_defect_11_nobody_reads_the_order_of_somebody_else",
        Edit(
            "services/order/queries/orders.py",
            """
-        caller.require_owner(order.user_id, staff_scope=STAFF_SCOPE)
""",
        ),
    ),
    plant(
        "the owner is never compared with the caller",
        "test_access.py::test_defect_11_nobody_reads_the_order_of_somebody_else",
        Edit(
            _IDENTITY,
            """
         if staff_scope and staff_scope in self.scopes:
             return
-        raise NotFound
""",
        ),
    ),
    plant(
        "the list of orders shows everybody's",
        "test_access.py::test_defect_11_a_list_of_orders_shows_ones_own_and_asks_who_one_is",
        Edit(
            _ORDER_STORE,
            """
-        rows = await tx.fetch(_PAGE, wanted.user_id, before, status, status, wanted.limit)
+        sql = _PAGE.replace("user_id = ?", "user_id >= substr(?, 1, 4)")
+        rows = await tx.fetch(sql, wanted.user_id, before, status, status, wanted.limit)
""",
        ),
    ),
    plant(
        "whoever knows its id may cancel an order",
        "test_access.py::test_defect_11_nobody_cancels_the_order_of_somebody_else",
        Edit(
            "services/order/commands/cancelling.py",
            """
-        await self._queries.require_owner(request.order_id, caller)
""",
        ),
    ),
    plant(
        "being signed in is enough",
        "test_access.py::test_defect_11_what_belongs_to_the_shop_is_for_its_staff",
        Edit(
            _IDENTITY,
            """
-        if scope not in self.scopes:
+        if self.kind is Kind.ANONYMOUS:
""",
        ),
    ),
    plant(
        "requests are put on spans",
        "test_access.py::test_defect_14_no_card_data_and_no_header_is_recorded_anywhere",
        Edit(
            "chassis/calls/inbound.py",
            """
                 request = self.decode(_encode(request))
+                self.caller = repr(request)
""",
        ),
    ),
    plant(
        "all request headers are logged",
        "test_access.py::test_defect_14_no_card_data_and_no_header_is_recorded_anywhere",
        Edit(
            "chassis/http/app.py",
            """
         exchange = Exchange(scope, receive, self._now_s())
+        _log.debug("request headers: %s", scope["headers"])
""",
        ),
    ),
    plant(
        "payment tokens are kept in the database",
        "test_access.py::test_defect_14_no_card_data_and_no_header_is_recorded_anywhere",
        Edit(
            "chassis/saga/journal.py",
            """
-    _moved(await tx.execute(_FINISH, after, b"", now_ms, saga_id, before), saga_id)
+    sql = _FINISH.replace("input = ?, ", "")
+    _moved(await tx.execute(sql, after, now_ms, saga_id, before), saga_id)
""",
        ),
    ),
)

OPERATION = (
    plant(
        "readiness is a constant",
        "test_operations.py::test_defect_12_readiness_fails_when_a_database_does",
        Edit(
            "chassis/http/health.py",
            """
-            await probe()
+            _ = probe
""",
        ),
    ),
    plant(
        "databases are not probed",
        "test_operations.py::test_defect_12_readiness_fails_when_a_database_does",
        Edit(
            "platform/shop.py",
            """
-                    "database": self.databases[name].probe,
+                    "database": lambda: asyncio.sleep(0),
""",
        ),
    ),
    plant(
        "a read is proof enough",
        "test_operations.py"
        "::test_defect_12_readiness_fails_when_a_database_can_be_read_and_not_written",
        Edit(
            "chassis/data/sqlite/database.py",
            """
         await self.read(ping)
-        await self.transaction(ping)
""",
        ),
    ),
    plant(
        "a migration is not one transaction",
        "test_operations.py::test_defect_18_a_migration_that_fails_leaves_nothing_behind",
        Edit(
            "chassis/data/sqlite/migrate.py",
            """
-        with connection:
+        if connection:
""",
        ),
    ),
    plant(
        "rows are written without naming their columns",
        "test_operations.py::test_defect_18_an_older_release_goes_on_beside_an_expanded_schema",
        Edit(
            _ORDER_STORE,
            """
         await tx.execute(
-            _INSERT,
+            _INSERT.replace(_COLUMNS, "").replace("()", ""),
""",
        ),
    ),
    plant(
        "two processes share a folder",
        "test_operations.py::test_defect_18_no_second_process_migrates_at_the_same_time",
        Edit(
            "platform/data_folder.py",
            """
-            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
+            _ = fcntl
""",
        ),
    ),
)

DEFECTS = (*MONEY, *STOCK, *EVENTS, *CARTS, *ACCESS, *OPERATION)
