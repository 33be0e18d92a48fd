//! A broker's reply as it crosses: everything but its text as one JSON text, and the text as it was sent.

use napi::Env;
use napi::bindgen_prelude::{Object, ToNapiValue};
use napi::sys;
use preopen_ffi::ReplyInfo;
use preopen_ffi::preopen::{Json, Reply};
use serde::Serialize;

use crate::outcome::json;

#[derive(Serialize)]
struct Fields<'a> {
    data: &'a Json,
    #[serde(flatten)]
    info: ReplyInfo,
}

/// A reply whose fields are JSON text already, so that JavaScript's thread has only to parse them.
pub(crate) struct ReplyRecord {
    fields: String,
    reply: Reply,
}

impl From<Reply> for ReplyRecord {
    fn from(mut reply: Reply) -> Self {
        let fields = json(&Fields {
            data: &reply.data,
            info: ReplyInfo::from(&reply),
        });
        // It is not needed any more, and may be large.
        drop(std::mem::take(&mut reply.data));
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
