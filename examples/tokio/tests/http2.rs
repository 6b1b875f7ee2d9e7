//! HTTP/2 over the streams, by hyper.

use std::convert::Infallible;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::time::Instant;

use crate::world::{World, text};

/// Answers with the body and as many octets more.
async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let mut body = request.into_body().collect().await.expect("all of it").to_bytes().to_vec();
    body.extend(text(body.len(), 6));
    Ok(Response::new(Full::new(body.into())))
}

/// 100 requests with bodies at the same time, on one connection.
async fn hundred_requests(lost: u32) {
    let (world, before) = (World::new(lost), Instant::now());
    let mut listener = world.listen(80);
    tokio::spawn(async move {
        let stream = TokioIo::new(listener.accept().await.unwrap());
        let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
        server.serve_connection(stream, service_fn(answer)).await.unwrap();
    });
    let stream = TokioIo::new(world.client.connect(World::at(80)).await.unwrap());
    let (sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await.unwrap();
    tokio::spawn(connection);
    let requests: Vec<_> = (0..100)
        .map(|n| {
            let mut sender = sender.clone();
            tokio::spawn(async move {
                let body = text(150 * n, n as u64);
                let request = Request::post("http://segue.test/").body(Full::<Bytes>::new(body.clone().into()));
                sender.ready().await.unwrap();
                let response = sender.send_request(request.unwrap()).await.unwrap();
                assert_eq!(response.status(), StatusCode::OK);
                let answer = response.into_body().collect().await.unwrap().to_bytes();
                assert!(answer[..body.len()] == body && answer[body.len()..] == text(body.len(), 6), "request {n}");
            })
        })
        .collect();
    for request in requests {
        request.await.unwrap();
    }
    println!("100 requests at {lost} in 1000 lost: {:?}, {:?}", before.elapsed(), world.counts);
}

#[tokio::test(start_paused = true)]
async fn http_2_answers_100_requests_without_loss() {
    hundred_requests(0).await;
}

#[tokio::test(start_paused = true)]
async fn http_2_answers_100_requests_with_1_percent_lost() {
    hundred_requests(10).await;
}

#[tokio::test(start_paused = true)]
async fn http_2_answers_100_requests_with_2_percent_lost() {
    hundred_requests(20).await;
}
