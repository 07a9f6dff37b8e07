"""What an owner gives to a device or to the administrator of a site: made by pure functions from frozen records."""
