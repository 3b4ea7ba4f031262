"""Devices of the real world under a host: `link.Link` is what they have in common; `tun`, `tap`, `packet`, `pair`,
`sniffer` are the kinds."""
