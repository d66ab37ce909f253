"""Keywright issues, manages and verifies API keys that belong to organizations.

Imports point one way: functions -> capabilities (issuing, sessions, ...) -> store -> AWS.
"""
