"""One client process of the Python benchmarks: python client.py PEER, settings as JSON on standard input."""

import json
import sys

import build
import herd
import http_clients
import live
import official

PEERS = {**http_clients.PEERS, **live.PEERS, **official.PEERS, **herd.PEERS, **build.PEERS}

if __name__ == "__main__":
    PEERS[sys.argv[1]](json.load(sys.stdin))
