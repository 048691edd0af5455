"""Faust agents: transport, state, screening, casework, projection, ingress and watch."""
