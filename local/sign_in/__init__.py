"""The sign-in of the development identity provider: an authorization server for the console.

It refuses what real servers refuse (OAuth 2.1, OpenID Connect Core 1.0, RFC 9700), so that a client that works here
works there, but asks for no password: the user is chosen on a page.
"""
