"""The portable file: store dumps of RedDB (``RDST``), versions 1 to 10."""
