"""stub"""
import click
@click.group()
def export() -> None:
    """Export."""
