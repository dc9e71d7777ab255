"""Spans of the steps of sagas: what is asked of other services for a step is inside its span."""

from emporion.chassis.calls.context import current_call
from emporion.chassis.saga.port import SagaState
from emporion.chassis.saga.run import Run
from emporion.chassis.telemetry.spans import Kind
from emporion.chassis.telemetry.telemetry import OpenSpan, Telemetry


class StepSpans:
    """Of the sagas of one service."""

    def __init__(self, telemetry: Telemetry, service: str) -> None:
        self._telemetry = telemetry
        self._service = service

    def of(self, run: Run) -> OpenSpan | None:
        """To be entered around the step that the saga is at; None where nothing is recorded."""
        if not current_call().trace.is_sampled:
            return None
        way = "" if run.state is SagaState.RUNNING else "undo "
        name = f"{run.saga.name}: {way}{run.saga.steps[run.step].name}"
        fields: dict[str, object] = {"saga": run.saga_id}
        if run.attempts:
            fields["attempts"] = run.attempts
        return OpenSpan(self._telemetry, self._service, name, kind=Kind.STEP, fields=fields)
