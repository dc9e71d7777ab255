"""Published descriptions derived from the contracts: .proto, OpenAPI, AsyncAPI."""
