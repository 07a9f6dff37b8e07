"""Builds packages for OpenWrt and Debian from a checkout, without their SDKs: the same input gives the same bytes."""
