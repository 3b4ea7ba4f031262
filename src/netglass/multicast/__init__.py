"""Group membership, IGMP and MLD alike: what a host tells (`member`), what a router asks and keeps (`querier`)."""
