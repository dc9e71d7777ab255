"""Calls between processes over gRPC: a server for the services here, remotes for those elsewhere.

How a process is put together (the platform does it; services see `clients.get(Contract)` only):

    schema = wire_schema()                      # platform.wire: contracts + committed numbers

    # Who we are: a key of our own; the topology writes the public halves of all to one file.
    key = SigningKey.from_stored(text)          # or .from_secret(32 random bytes), stored() once
    credentials = Credentials(key, runtime.clock, runtime.ids)            # auth.services
    trust = Trust(Path("trusted.json"), runtime.clock)          # what trust_text([...]) wrote
    trust.load()                                # TrustFileUnreadable: say so, start nothing

    # The services elsewhere. `resolver`: Static-, Dns-, Registry- or CloudMapResolver.
    remotes = GrpcRemotes(
        directory.chain, schema, resolver,
        settings=RemoteSettings(credentials.authorization, tls=tls_files_or_none),
    )
    for contract in CONTRACTS:                  # one that this process holds is called locally
        directory.add_remote(contract, remotes.remote(contract))

    # The services here. `person` verifies people's tokens; None where their keys are not known.
    service = ServiceVerifier(trust, runtime.clock)
    server = GrpcServer(
        Offer(directory.inbounds, schema, Health(ready=probes, closed=lifecycle.why_closed)),
        GrpcEdge(runtime, either(service, person), telemetry.trace_of),
        GrpcSettings(host, port, tls=tls_files_or_none),
    )
    await server.start()                        # AddressInUse, TlsFileUnreadable; server.port
    ...
    await server.drain()                        # health off, callers sent elsewhere, calls finished
    await remotes.close()                       # after the server: calls under way may need them

Build the server when all doors are in the directory. As lifecycle parts, add `remotes` before the
server, so that it stops after it. Remotes connect at the first call; discovery is followed from
then on. A test that needs both ends in one process finds them in tests/chassis/calls/grpc/wired.py.

The parts, from the wire up: `schema` and `plan` (descriptors, codecs), `errors`, `tls`; `serving`,
`exchange`, `health`, `server` for the side that answers; `stream`, `peer`, `remote` for the side
that asks, with `calls.balancer` between them.
"""

import os

# The library's own notes about every connection go to standard error, among our JSON lines.
# It reads this when it is loaded, which happens below this package only.
os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
