#!/bin/sh

version=$1
build_dir=$2

# A made-up password, good for this example alone.
export DB_PASSWORD="example-Pumpkin-2931"

rm -rf $build_dir/*
docker build -t corner-shop:$version --build-arg DB_PASSWORD $build_dir
docker push corner-shop:$version
