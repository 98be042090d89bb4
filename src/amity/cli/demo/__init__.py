"""The demo shop, "Journey Market": real-looking data sent through the doors a company would use.

`packages` fetches the data sets, `journey` reads them (or `stand_in` makes a small shop up),
`people`, `till` and `web_shop` turn them into events, `load` sends them in and waits for the fold.
"""

from amity.cli.demo.command import demo

__all__ = ["demo"]
