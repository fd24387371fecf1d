//! Bodies of requests, up to a length.

use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::StatusCode;
use hyper::body::{Body, Bytes};

use crate::respond::{self, Reply};

/// Reads a body of at most `longest` bytes, a whole number of MiB; or says why
/// not.
pub(crate) async fn read<B>(body: B, longest: usize) -> Result<Bytes, Box<Reply>>
where
    B: Body<Data = Bytes> + Send,
    B::Error: std::fmt::Display,
{
    if body.size_hint().lower() > longest as u64 {
        return Err(too_long(longest));
    }
    let body = body.map_err(|error| error.to_string());
    match Limited::new(body, longest).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(too_long(longest)),
        Err(error) => Err(Box::new(respond::error(
            StatusCode::BAD_REQUEST,
            &format!("cannot read the body: {error}"),
        ))),
    }
}

fn too_long(longest: usize) -> Box<Reply> {
    Box::new(respond::and_close(respond::error(
        StatusCode::PAYLOAD_TOO_LARGE,
        &format!("the body is longer than {} MiB", longest >> 20),
    )))
}
