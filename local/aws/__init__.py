"""The local AWS: ministack with the behaviours of AWS that Septet depends on and ministack lacks.

Promises that everything listens on 127.0.0.1 only, that nothing outside its own working directory is written,
and that an unknown ministack is refused, because the behaviours replace functions inside it. Leaves the services
themselves to ministack. Start it with ``python -m aws`` (see ``__main__``) or through ``stack``.
"""

MINISTACK_VERSION = "1.5.33"
