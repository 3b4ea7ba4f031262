"""Devices of the real world under a host: `link.Link` is what they have in common; `tun` (TUN and TAP),
`packet` (packet sockets) and `pair` (in memory) are the kinds; `machine` sets up the kernel's side."""
