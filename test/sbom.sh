#!/bin/sh
# Writes what the program is linked of, with versions, hashes and licences, as CycloneDX JSON.
# Read from the binary itself, so that it says what is in it and not what go.mod asks for.
# usage: test/sbom.sh BINARY VERSION OUTPUT
set -eu
cd "$(dirname "$0")/.."
# It warns that the program's own licence is in no module cache; that one is in the file LICENSE.
go tool -modfile=tools.mod cyclonedx-gomod bin -json -std -licenses -noserial -version "$2" -output "$3" "$1"
