"""How the engine works; private."""
