# syntax=docker/dockerfile:1
# The images of the operator and of the app, one target each:
#
#   docker build --target operator -t operator .
#   docker build --target app -t app .
#
# `make images` builds, names and checks both, also where no registry can be reached. Binaries are compiled in here, or taken
# as they are (--build-arg BINARIES=prebuilt, from the folder PREBUILT); then the machine's C library must not be newer than the
# base's. What runs is one file on the base: no shell, no package manager, nobody's root, nothing that is written.

ARG BUILDER=docker.io/library/rust:1.95-slim-bookworm
ARG RUNTIME=gcr.io/distroless/cc-debian12:nonroot
# compiled or prebuilt
ARG BINARIES=compiled

# --- the binaries -------------------------------------------------------------------------------------------------------
FROM ${BUILDER} AS binaries-compiled
WORKDIR /src
COPY . .
# Registry and target are kept between builds: a change compiles what changed. The mounts are gone afterwards, hence the copy.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --locked --release --package operator --package app --bins \
    && mkdir /out && cp target/release/tenantry-operator target/release/tenantry-app /out/

FROM scratch AS binaries-prebuilt
ARG PREBUILT=target/release
COPY ${PREBUILT}/tenantry-operator ${PREBUILT}/tenantry-app /out/

FROM binaries-${BINARIES} AS binaries

# --- what both images share ---------------------------------------------------------------------------------------------
# The base brings the C library, the certificate authorities and the user; see tests/stack/src/install/image_base.rs for one
# that is made from Debian packages.
FROM ${RUNTIME} AS runtime
ARG VERSION=0.0.0
ARG REVISION=unknown
ARG CREATED=1970-01-01T00:00:00Z
LABEL org.opencontainers.image.vendor="Tenantry" \
      org.opencontainers.image.source="https://tenantry.dev" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"
USER 65532:65532

# --- the images ---------------------------------------------------------------------------------------------------------
# Metrics and probes on 8080; a pod is reached from outside it, so it listens on every address.
FROM runtime AS operator
LABEL org.opencontainers.image.title="tenantry-operator" \
      org.opencontainers.image.description="Gives every VectorTenant a Neon project of its own"
ENV TENANTRY_LISTEN=0.0.0.0:8080
EXPOSE 8080
COPY --from=binaries --chmod=0755 /out/tenantry-operator /tenantry-operator
ENTRYPOINT ["/tenantry-operator"]

# Pages on 8090, metrics and probes on 8091. It starts itself (/proc/self/exe) to read a PDF; its pages, migrations and fonts
# are built in.
FROM runtime AS app
LABEL org.opencontainers.image.title="tenantry-app" \
      org.opencontainers.image.description="The companion app: a person's documents, searched and answered from their own database"
ENV TENANTRY_APP_LISTEN=0.0.0.0:8090 TENANTRY_APP_ADMIN_LISTEN=0.0.0.0:8091
EXPOSE 8090 8091
COPY --from=binaries --chmod=0755 /out/tenantry-app /tenantry-app
ENTRYPOINT ["/tenantry-app"]
CMD ["serve"]
