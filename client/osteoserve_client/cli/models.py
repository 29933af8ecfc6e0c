"""``osteoserve models``: what the service serves now."""

from __future__ import annotations

import json

import click

from osteoserve_client.cli.connection import Server, server_option, service_client


@click.command()
@server_option
@click.option("--json", "as_json", is_flag=True, help="One JSON document, for programs.")
def models(server: Server | None, as_json: bool) -> None:
    """List the models that the service serves, and what each of them expects."""
    from google.protobuf.json_format import MessageToDict

    from osteoserve_preprocessing.v1 import preprocessing_pb2 as pb

    with service_client(server) as client:
        served = client.models()
    if as_json:
        fields = [
            MessageToDict(
                model,
                preserving_proto_field_name=True,
                always_print_fields_with_no_presence=True,
            )
            for model in served
        ]
        click.echo(json.dumps({"models": fields}, indent=2))
        return
    for model in served:
        labels = ", ".join(f"{label.value} {label.name}" for label in model.labels)
        window = "..".join(f"{limit:g}" for limit in model.window_hu)
        modality = pb.Modality.Name(model.modality).removeprefix("MODALITY_")
        images = f"{modality}, window {window} HU" if window else modality
        state = "ready" if model.ready else "NOT READY"
        click.echo(
            f"{model.name} v{model.version}  {state}  {model.precision}  {images}  "
            f"labels: {labels}  sha256 {model.digest[:12]}"
        )
