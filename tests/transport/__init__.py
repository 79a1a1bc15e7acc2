"""Tests of the transport engine, its workers and its particles."""
