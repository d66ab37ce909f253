"""Keywright issues, manages and verifies API keys of organizations.

Imports point one way: functions > operators | authorizers > keys | organizations > api | store > aws | domain > the
modules of this folder. The contracts in pyproject.toml hold it.
"""
