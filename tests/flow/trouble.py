"""What goes on beside a test: workers are killed, messages doubled."""

import threading


class Trouble(threading.Thread):
    """Causes trouble again and again until the test beside it is over, and fails it if that fails."""

    every = 1.0

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._over, self._error = threading.Event(), None

    def cause(self) -> None:
        raise NotImplementedError

    def over(self, seconds: float) -> bool:
        """Waits, and tells whether the test is over."""
        return self._over.wait(seconds)

    def run(self) -> None:
        try:
            while not self.over(self.every):
                self.cause()
        except Exception as error:
            self._error = error

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_) -> None:
        self._over.set()
        self.join()
        if self._error:
            raise self._error
