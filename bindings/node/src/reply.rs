//! A broker's reply as it crosses: its text as it was sent, and as one JSON text what Rust read of it. Where the data was left
//! in the text, JavaScript is told the place: it parses JSON faster than it is given objects.

use napi::Env;
use napi::bindgen_prelude::{Object, ToNapiValue};
use napi::sys;
use preopen_ffi::ReplyInfo;
use preopen_ffi::preopen::{DataPlace, Json, Reply};
use serde::Serialize;

use crate::outcome::json;

#[derive(Serialize)]
struct Fields<'a> {
    #[serde(flatten)]
    data: Data<'a>,
    #[serde(flatten)]
    info: ReplyInfo,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Data<'a> {
    #[serde(rename = "data")]
    Whole(&'a Json),
    /// The name of the member that it is.
    Member(&'static str),
    /// The names of the members that it is without.
    Without(&'static [&'static str]),
}

impl<'a> From<&'a Reply> for Data<'a> {
    fn from(reply: &'a Reply) -> Self {
        match reply.data_place() {
            None => Self::Whole(reply.data()),
            Some(DataPlace::Member(name)) => Self::Member(name),
            Some(DataPlace::Without(names)) => Self::Without(names),
        }
    }
}

/// A reply whose fields are JSON text already, so that JavaScript's thread has only to parse them.
pub(crate) struct ReplyRecord {
    fields: String,
    reply: Reply,
}

impl From<Reply> for ReplyRecord {
    fn from(reply: Reply) -> Self {
        let fields = json(&Fields {
            data: Data::from(&reply),
            info: ReplyInfo::from(&reply),
        });
        Self { fields, reply }
    }
}

impl ToNapiValue for ReplyRecord {
    #[allow(unsafe_code, reason = "the trait's only method is unsafe")]
    unsafe fn to_napi_value(env: sys::napi_env, record: Self) -> napi::Result<sys::napi_value> {
        let mut object = Object::new(&Env::from_raw(env))?;
        object.set("fields", record.fields)?;
        object.set("text", record.reply.text())?;
        // SAFETY: `env` is the environment that this call was given.
        unsafe { Object::to_napi_value(env, object) }
    }
}
