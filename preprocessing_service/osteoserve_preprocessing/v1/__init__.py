"""The wire contract: the proto, its generated stubs, and the framing that both ends share."""
