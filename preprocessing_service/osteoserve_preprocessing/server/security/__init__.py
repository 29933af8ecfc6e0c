"""Who may call: TLS, tokens and their scopes, and a log of who asked for what.

``guard`` stands before every method, ``tokens`` knows who is let in, ``tls`` makes the server's
credentials, ``audit`` writes what happened; ``cli`` makes the
certificates and tokens that they need.
"""
