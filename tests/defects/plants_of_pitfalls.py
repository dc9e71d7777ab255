"""The pitfalls of a Python chassis, dug again in ours."""

from tests.defects.plant import Edit, plant

_OF_EVENTS = "test_pitfalls_of_events_and_sagas.py"
_OF_OPERATION = "test_pitfalls_of_operation.py"
_PUMP = "chassis/events/pump.py"
_ENGINE = "chassis/saga/engine.py"
_DIRECTORY = "chassis/calls/directory.py"
_FEED = "chassis/events/feed.py"
_LIMITER = "chassis/resilience/limiter.py"

EVENTS = (
    plant(
        "a docstring promises what no network can keep",
        f"{_OF_EVENTS}::test_pitfall_01_nothing_promises_more_than_effects_once",
        Edit(
            "chassis/events/bus.py",
            '''
-"""The port of the bus: delivers published events to subscribers, at least once, in order per key.
+"""The port of the bus: exactly-once%delivery of events to subscribers, in order per key.
'''.replace("%", " "),
        ),
    ),
    plant(
        "the inbox row is written before the reaction, in a transaction of its own",
        f"{_OF_EVENTS}::test_pitfall_01_the_inbox_row_and_the_effect_are_committed_together",
        Edit(
            _PUMP,
            """
+        claim, rows = self.inbox.claim, {"generation": self._generation, "now_ms": now_ms}
+        self._claimed = await self._transact(lambda tx: claim(tx, batch, **rows))
         handled = await self._commit(work)
         self.position = self._stored = batch[-1].position
""",
        ),
        Edit(
            _PUMP,
            """
-        fresh = await self.inbox.claim(
-            tx, ready, generation=self._generation, now_ms=self._now_ms()
-        )
+        fresh = self._claimed
""",
        ),
    ),
    plant(
        "positions are drawn from a sequence that has gaps",
        f"{_OF_EVENTS}"
        "::test_pitfall_02_our_positions_appear_in_the_order_of_the_commits_without_a_gap",
        Edit(
            "chassis/events/outbox.py",
            """
-    "INSERT INTO outbox (event_id, name, topic, key, occurred_at_ms, payload) "
-    "VALUES (?, ?, ?, ?, ?, ?)"
+    "INSERT INTO outbox (position, event_id, name, topic, key, occurred_at_ms, payload) "
+    "SELECT coalesce(max(position), 0) + 1 + abs(random() % 2), ?, ?, ?, ?, ?, ? FROM outbox"
""",
        ),
    ),
    plant(
        "a reader goes on from the newest position, not from the one it read",
        f"{_OF_EVENTS}::test_pitfall_02_what_is_published_during_a_delivery_is_delivered_too",
        Edit(
            _PUMP,
            """
-            self.position = seen[-1].position
+            self.position = await self.feed.head()
""",
        ),
    ),
)

SAGAS = (
    plant(
        "open sagas are forgotten at a restart",
        f"{_OF_EVENTS}::test_pitfall_03_a_saga_goes_on_after_a_restart",
        Edit(
            "platform/shop.py",
            """
-                await self.engines[name].recover()
-                self._alarms.start((self.engines[name].alarm,))
+                pass
""",
        ),
    ),
    plant(
        "undo before do leaves no tombstone in the stock",
        f"{_OF_EVENTS}::test_pitfall_03_what_was_undone_before_it_was_done_is_never_done",
        Edit(
            "services/inventory/adapters/sql/holds.py",
            """
                 tombstone = Hold(order_id, Status.RELEASED, [], now_ms, None)
-                await _insert(tx, tombstone, written(tombstone.status, now_ms))
""",
        ),
    ),
    plant(
        "undo before do does not stop a later charge",
        f"{_OF_EVENTS}::test_pitfall_03_what_was_undone_before_it_was_done_is_never_done",
        Edit(
            "services/payment/commands/charges.py",
            """
-                stored = settled(known, request)
+                stored = await self._charge_first(request)
""",
        ),
        Edit(
            "services/payment/commands/deciding.py",
            """
-        case Status.VOIDED | Status.REFUNDED:
-            raise PaymentVoided
+        case Status.VOIDED | Status.REFUNDED:
+            return stored
""",
        ),
    ),
    plant(
        "the newest definition takes over sagas in flight",
        f"{_OF_EVENTS}::test_pitfall_03_a_saga_in_flight_ends_by_the_definition_it_began_with",
        Edit(
            _ENGINE,
            """
-        saga = self._sagas.get((entry.name, entry.version))
+        saga = self._sagas[max(each for each in self._sagas if each[0] == entry.name)]
""",
        ),
    ),
    plant(
        "a saga of an unknown definition is run by another one",
        f"{_OF_EVENTS}::test_pitfall_03_a_saga_whose_definition_is_gone_waits_for_it",
        Edit(
            _ENGINE,
            """
-        saga = self._sagas.get((entry.name, entry.version))
-        if saga is None:
+        saga = self._sagas[max(each for each in self._sagas if each[0] == entry.name)]
+        entry = __import__("dataclasses").replace(entry, version=saga.version)
+        if saga is None:
""",
        ),
    ),
)

BINDINGS = (
    plant(
        "fast local calls check nothing",
        f"{_OF_EVENTS}::test_pitfall_04_both_local_bindings_behave_alike_to_the_last_event",
        Edit(
            _DIRECTORY,
            """
-            return served.serve
+            return lambda request, call, parent_id: served.target(request)
""",
        ),
    ),
    plant(
        "errors of fast local calls are not those of others",
        f"{_OF_EVENTS}::test_pitfall_04_both_local_bindings_behave_alike_to_the_last_event",
        Edit(
            _DIRECTORY,
            """
             wire = self._decode_error(self._encode(to_wire(error)))
-            raise self._served.errors.from_wire(wire) from None
+            raise EmporionError(wire.detail) from None
""",
        ),
    ),
    plant(
        "deliveries have no order",
        f"{_OF_EVENTS}::test_pitfall_04_events_of_one_order_are_told_in_their_order",
        Edit(
            _FEED,
            """
-    "WHERE position > ? ORDER BY position LIMIT ?"
+    "WHERE position > ? ORDER BY position DESC LIMIT ?"
""",
        ),
    ),
)

RETRIES = (
    plant(
        "retries have no budget",
        f"{_OF_OPERATION}::test_pitfall_06_retries_stay_within_their_budget",
        Edit(
            "chassis/resilience/budget.py",
            """
-        if self._tokens < 1.0:
-            return False
""",
        ),
    ),
    plant(
        "the circuit never opens",
        f"{_OF_OPERATION}::test_pitfall_06_a_callee_that_is_down_is_left_alone",
        Edit(
            "chassis/resilience/breaker.py",
            """
-        self._failures += 1
+        self._failures += 0
""",
        ),
    ),
    plant(
        "each call has its own time, however little its caller has left",
        f"{_OF_OPERATION}"
        "::test_pitfall_06_the_deadline_travels_to_every_service_even_where_none_was_set",
        Edit(
            "chassis/calls/outbound.py",
            """
         if parent.deadline_s < deadline_s:
-            deadline_s = self._remaining(parent.deadline_s, now_s)
+            pass
""",
        ),
    ),
)

LOOP = (
    plant(
        "nothing is shed first",
        f"{_OF_OPERATION}::test_pitfall_07_a_blocked_loop_sheds_what_is_optional_and_takes_orders",
        Edit(
            "platform/shop.py",
            """
-                assembly.contract, assembly.implementation, shed_first=assembly.shed_first
+                assembly.contract, assembly.implementation, shed_first=False
""",
        ),
    ),
    plant(
        "the lag of the loop counts for nothing",
        f"{_OF_OPERATION}::test_pitfall_07_a_blocked_loop_sheds_what_is_optional_and_takes_orders",
        Edit(
            _LIMITER,
            """
-        if lag_s > bounds.lag_s_max or is_slow:
+        if is_slow:
""",
        ),
    ),
    plant(
        "the watchdog does not say by what",
        f"{_OF_OPERATION}::test_pitfall_07_the_watchdog_says_what_blocks_the_loop",
        Edit(
            "chassis/runtime/lag.py",
            """
-        stack = "".join(traceback.format_stack(frame)) if frame else "(the thread is gone)"
+        stack = f"something ({type(frame)}, {traceback.__name__})"
""",
        ),
    ),
)

OPERATION = (
    plant(
        "the audit sees nothing",
        f"{_OF_OPERATION}::test_pitfall_08_the_checker_of_all_these_tests_is_not_blind",
        Edit(
            "platform/audit/facts.py",
            """
-        self.total += 1
-        if len(self.violations) < VIOLATIONS_MAX:
+        if not VIOLATIONS_MAX:
""",
        ),
    ),
    plant(
        "liveness asks the databases",
        f"{_OF_OPERATION}::test_pitfall_09_liveness_does_not_ask_a_database",
        Edit(
            "chassis/http/health.py",
            """
-        *page("/livez", health.live, _never),
+        *page("/livez", health.ready, _never),
""",
        ),
    ),
    plant(
        "readiness stays on while the process drains",
        f"{_OF_OPERATION}::test_pitfall_09_a_draining_process_finishes_what_it_accepted",
        Edit(
            "chassis/runtime/lifecycle.py",
            """
         if self._asked.is_set():
             self._hurried.set()
-        self.closed = "draining"
         self._asked.set()
""",
        ),
        Edit(
            "chassis/runtime/lifecycle.py",
            """
         was_open = not self.closed or self._asked.is_set()
-        self.closed = "draining"
""",
        ),
    ),
    plant(
        "a dead letter is thrown away",
        f"{_OF_OPERATION}::test_pitfall_09_a_dead_letter_is_kept_and_can_be_redriven",
        Edit(
            "chassis/events/inbox.py",
            """
-                await tx.execute(BURY, error, self.subscriber, failed.event_id)
+                await tx.execute(UNPARK, self.subscriber, failed.event_id)
""",
        ),
    ),
    plant(
        "paths as sent are metric labels",
        f"{_OF_OPERATION}::test_pitfall_09_no_id_and_nothing_a_client_sends_is_a_metric_label",
        Edit(
            "chassis/http/app.py",
            """
-        exchange.route = route.path
+        exchange.route = raw_path.decode()
""",
        ),
    ),
)

PARTS = tuple(
    plant(
        f"the {part} needs the platform",
        f"{_OF_OPERATION}::test_pitfall_10_each_part_is_usable_alone[{part}]",
        Edit(file, f"\n+import emporion.platform.settings\n {line}\n"),
    )
    for part, file, line in (
        ("saga", _ENGINE, "import asyncio"),
        ("event store", "chassis/eventstore/store.py", "from dataclasses import dataclass"),
        ("bus", "chassis/events/inprocess.py", "import asyncio"),
    )
)

PITFALLS = (*EVENTS, *SAGAS, *BINDINGS, *RETRIES, *LOOP, *OPERATION, *PARTS)
