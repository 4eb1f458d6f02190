"""`analytics-api plan`: a project's tracking plan as a JSON file that can be kept in git."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from analytics_api.commands.context import ProjectOption, opened, run_command
from analytics_api.domain.clock import system_clock
from analytics_api.domain.plan import PlanMode, PlannedType, UnknownTypes
from analytics_api.errors import ConfigurationError
from analytics_api.ingest.plan.codegen import Language, generate
from analytics_api.ingest.plan.document import catalogue, plan_document, store_plan
from analytics_api.ingest.plan.models import PlanBody
from analytics_api.settings import load_settings
from analytics_api.store.plans import StoredPlan, find_plan
from analytics_api.store.projects import DEFAULT, get_project

plan_app = typer.Typer(help="What a project expects of its events.", no_args_is_help=True)
app = typer.Typer()
app.add_typer(plan_app, name="plan")


@plan_app.command("show")
def plan_show(project: ProjectOption = DEFAULT) -> None:
    """How the plan is applied, and its event types with the properties they name."""
    plan = _read(project)
    if plan is None:
        typer.echo(f"Project {project} has no tracking plan: nothing is checked.")
        return
    typer.echo(f"mode {plan.mode.value}, unknown types: {plan.unknown_types.value}, version {plan.version}")
    for name, planned in plan.types.items():
        properties = ", ".join(json.loads(planned.schema).get("properties", {}))
        typer.echo(f"{name}\t{properties}\t{planned.description}")


@app.command()
def codegen(
    language: Annotated[Language, typer.Argument(help="What to write types in.")],
    project: ProjectOption = DEFAULT,
    output: Annotated[Path | None, typer.Option(help="File to write; printed when left out.")] = None,
    plan: Annotated[
        Path | None, typer.Option(help="File of `plan export`, instead of the project's plan.")
    ] = None,
) -> None:
    """Types of the tracking plan's events, so that mypy or tsc finds a wrong property."""
    if plan is not None:
        types: Mapping[str, PlannedType] | None = _parse(plan)[2]
    else:
        stored = _read(project)
        types = (
            {name: PlannedType(json.loads(one.schema), one.description) for name, one in stored.types.items()}
            if stored
            else None
        )
    if not types:
        raise ConfigurationError(
            f"Project {project} has no event types in its tracking plan: add some, or start with `plan import --catalogue`."
        )
    text = generate(language, project, {name: (one.description, one.schema) for name, one in types.items()})
    if output is None:
        typer.echo(text, nl=False)
    else:
        output.write_text(text, encoding="utf-8")


@plan_app.command("export")
def plan_export(project: ProjectOption = DEFAULT) -> None:
    """Print the plan as JSON, which `plan import` takes."""
    plan = _read(project) or StoredPlan()
    typer.echo(json.dumps(plan_document(plan), indent=2, sort_keys=True, ensure_ascii=False))


@plan_app.command("import")
def plan_import(
    file: Annotated[Path | None, typer.Argument(help="JSON file as `plan export` prints it.")] = None,
    project: ProjectOption = DEFAULT,
    from_catalogue: Annotated[
        bool, typer.Option("--catalogue", help="The event types that the product knows, to start from.")
    ] = False,
) -> None:
    """Put a plan in the place of the project's; servers that run follow within seconds."""
    if (file is None) != from_catalogue:
        raise ConfigurationError("plan import: name a FILE, or --catalogue, and not both.")
    if file is None:
        mode, unknown_types, types = PlanMode.OBSERVE, UnknownTypes.ALLOW, catalogue()
    else:
        mode, unknown_types, types = _parse(file)
    settings = load_settings()

    async def store() -> None:
        async with opened(settings) as database:
            async with database.read() as session:
                owner = await get_project(session, project)
            async with database.acquire() as connection:
                await store_plan(connection, owner.id, mode, unknown_types, types, system_clock())

    run_command(store())
    typer.echo(
        f"Project {project} has a plan of {len(types)} event types in mode {mode.value}, "
        f"unknown types: {unknown_types.value}."
    )


def _read(project: str) -> StoredPlan | None:
    settings = load_settings()

    async def read() -> StoredPlan | None:
        async with opened(settings) as database:
            async with database.read() as session:
                owner = await get_project(session, project)
            async with database.acquire() as connection:
                return await find_plan(connection, owner.id)

    return run_command(read())


def _parse(file: Path) -> tuple[PlanMode, UnknownTypes, dict[str, PlannedType]]:
    """The plan in a file. Raises ConfigurationError naming what is wrong."""
    try:
        document: Any = json.loads(file.read_text(encoding="utf-8"))
        body = PlanBody.model_validate(document, strict=False)
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be read: {error.strerror}.") from None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the document"
        raise ConfigurationError(f"{file}: {place}: {first['msg']}.") from None
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"{file} is not JSON: {error}.") from None
    if body.event_types is None:
        raise ConfigurationError(f"{file}: event_types is missing: name every event type of the plan.")
    return body.mode, body.unknown_types, {name: one.planned() for name, one in body.event_types.items()}
