"""The OpenAPI description of the HTTP surface."""
