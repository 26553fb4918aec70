#!/bin/sh
# relume in digiKam's Batch Queue Manager: add the tool "Custom Script" (Base Tools) and paste these lines into it, or name
# this file there. digiKam sets INPUT and OUTPUT; the format is that of OUTPUT. RELUME_OPTIONS may hold options of
# "relume enhance", as in "--brightness 0.3".
# digiKam makes OUTPUT before it calls: it is digiKam's own temporary file, so it may be replaced.
set -eu
exec relume enhance "$INPUT" -o "$OUTPUT" --overwrite --quiet ${RELUME_OPTIONS:-}
