"""O2O Mining: precision marketing for online-to-offline commerce, from two logs to offers and attribution."""

from o2o_mining.engine.home import Home, load, open_home

__all__ = ["Home", "load", "open_home"]
