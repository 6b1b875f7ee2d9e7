//! TLS 1.3 over the streams, by rustls.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, UnixTime};
use tokio_rustls::rustls::time_provider::TimeProvider;
use tokio_rustls::rustls::version::TLS13;
use tokio_rustls::rustls::{ClientConfig, ProtocolVersion, RootCertStore, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::world::{World, text};

/// A certificate of `segue.test` and its key, Ed25519, for these tests alone:
/// `openssl req -x509 -addext subjectAltName=DNS:segue.test -addext basicConstraints=critical,CA:FALSE`.
const CERTIFICATE: &[u8] = include_bytes!("certificate.der");
const KEY: &[u8] = include_bytes!("key.der");

/// In 2030, when the certificate is valid.
#[derive(Debug)]
struct Then;

impl TimeProvider for Then {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(Duration::from_secs(1_900_000_000)))
    }
}

fn configs() -> (TlsConnector, TlsAcceptor) {
    let (provider, certificate) = (Arc::new(default_provider()), CertificateDer::from(CERTIFICATE));
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).unwrap();
    let client = ClientConfig::builder_with_details(provider.clone(), Arc::new(Then))
        .with_protocol_versions(&[&TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let server = ServerConfig::builder_with_details(provider, Arc::new(Then))
        .with_protocol_versions(&[&TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], PrivateKeyDer::from(PrivatePkcs8KeyDer::from(KEY)))
        .unwrap();
    (Arc::new(client).into(), Arc::new(server).into())
}

#[tokio::test(start_paused = true)]
async fn tls_1_3_echoes_with_1_percent_lost() {
    let world = World::new(10);
    let (connector, acceptor) = configs();
    let mut listener = world.listen(443);
    let server = tokio::spawn(async move {
        let stream = acceptor.accept(listener.accept().await.unwrap()).await.unwrap();
        let (mut reader, mut writer) = tokio::io::split(stream);
        tokio::io::copy(&mut reader, &mut writer).await.unwrap();
        writer.shutdown().await.unwrap();
    });
    let stream = world.client.connect(World::at(443)).await.unwrap();
    let stream = connector.connect("segue.test".try_into().unwrap(), stream).await.unwrap();
    assert_eq!(stream.get_ref().1.protocol_version(), Some(ProtocolVersion::TLSv1_3));
    let (mut reader, mut writer) = tokio::io::split(stream);
    let writing = tokio::spawn(async move {
        writer.write_all(&text(500_000, 5)).await.unwrap();
        writer.shutdown().await.unwrap(); // close_notify, then the FIN
        writer
    });
    let mut echoed = Vec::new();
    reader.read_to_end(&mut echoed).await.unwrap(); // fails without the close_notify of the peer
    writing.await.unwrap();
    server.await.unwrap();
    assert!(echoed == text(500_000, 5), "{} octets", echoed.len());
}
