#!/bin/sh
set -eu

version="$1"
docker build -t "corner-shop:$version" .
docker push "corner-shop:$version"
