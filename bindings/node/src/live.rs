//! The check before a kept token or header is used: a function that JavaScript calls each time, and that is therefore made by
//! hand. What napi makes of a closure allocates a list of arguments for each call.

use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::null_mut;

use napi::bindgen_prelude::{FromNapiValue as _, Function};
use napi::{Env, check_status, sys};
use preopen_ffi::preopen::Session;

use crate::outcome::number;

/// A function that tells the generation of the live token, or 0 when there is none.
#[allow(unsafe_code, reason = "Node-API takes pointers")]
pub(crate) fn check(env: &Env, session: Session) -> napi::Result<Function<'_, (), f64>> {
    let session = Box::into_raw(Box::new(session)).cast::<c_void>();
    let mut function = null_mut();
    // SAFETY: `session` lives as long as the function: it is dropped when the function is collected, or here when there is
    // none that could be.
    unsafe {
        let made = sys::napi_create_function(
            env.raw(),
            c"live".as_ptr(),
            4,
            Some(generation),
            session,
            &raw mut function,
        );
        let kept = if made == sys::Status::napi_ok {
            sys::napi_add_finalizer(
                env.raw(),
                function,
                session,
                Some(collected),
                null_mut(),
                null_mut(),
            )
        } else {
            made
        };
        if kept != sys::Status::napi_ok {
            drop(Box::from_raw(session.cast::<Session>()));
        }
        check_status!(kept, "the check of a session cannot be made")?;
        Function::from_napi_value(env.raw(), function)
    }
}

#[allow(unsafe_code, reason = "Node-API calls it")]
unsafe extern "C" fn generation(env: sys::napi_env, call: sys::napi_callback_info) -> sys::napi_value {
    let (mut session, mut told) = (null_mut(), null_mut());
    // SAFETY: Node gives what `check` gave, which lives as long as the function. Whatever fails leaves `told` null, which is
    // `undefined` and no generation.
    unsafe {
        sys::napi_get_cb_info(env, call, null_mut(), null_mut(), null_mut(), &raw mut session);
        if let Some(session) = session.cast::<Session>().as_ref() {
            let live = || session.fresh_generation().map_or(0.0, number);
            // A panic must not go through Node. The caller asks in the usual way then, and is told.
            let live = catch_unwind(AssertUnwindSafe(live)).unwrap_or_default();
            sys::napi_create_double(env, live, &raw mut told);
        }
    }
    told
}

#[allow(unsafe_code, reason = "Node-API calls it")]
unsafe extern "C" fn collected(_: sys::napi_env, session: *mut c_void, _: *mut c_void) {
    // SAFETY: it is the box of `check`, and this is its only end.
    drop(unsafe { Box::from_raw(session.cast::<Session>()) });
}
