//! Statistics over runs: see the functions for which definition each one follows.
