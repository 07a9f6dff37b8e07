"""Where log lines go: to standard error as the configuration wants them, and into memory."""

from __future__ import annotations

import logging
import sys
from typing import TextIO

from edgevpn.config.model import Gateway, LogFormat, LogLevel
from edgevpn.daemon.base.logs import formatter
from edgevpn.daemon.base.recent import Recent

LEVELS = {
    LogLevel.DEBUG: logging.DEBUG,
    LogLevel.INFO: logging.INFO,
    LogLevel.WARNING: logging.WARNING,
    LogLevel.ERROR: logging.ERROR,
}


class Logbook:
    """The handlers of one logger; `recent` keeps the last lines. `level` wins over what the configuration says."""

    def __init__(self, logger: logging.Logger, level: LogLevel | None, stream: TextIO | None = None) -> None:
        self._logger = logger
        self._level = level
        self._stream = logging.StreamHandler(stream or sys.stderr)
        self.recent = Recent()
        for handler in (self._stream, self.recent):
            logger.addHandler(handler)

    def apply(self, settings: Gateway) -> None:
        """From now on as this says."""
        self._logger.setLevel(LEVELS[self._level or settings.log_level])
        self._stream.setFormatter(formatter(settings.log_format is LogFormat.JSON))

    def close(self) -> None:
        """Log nothing more."""
        for handler in (self._stream, self.recent):
            self._logger.removeHandler(handler)
            handler.close()
