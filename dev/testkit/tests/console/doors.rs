//! Who gets in, and what a page never does.

use http::StatusCode;
use reqwest::redirect::Policy;
use serde_json::json;
use testkit::World;
use testkit::world::{CALL_TOKEN, READ_TOKEN, TOKEN};

struct Visitor {
    http: reqwest::Client,
    url: String,
    cookie: String,
}

impl Visitor {
    async fn sign_in(world: &World, token: &str) -> Self {
        let http = reqwest::Client::builder().redirect(Policy::none()).build().unwrap();
        let url = format!("{}/console", world.url);
        let sent = http.post(format!("{url}/sign-in")).form(&[("token", token)]).send().await.unwrap();
        assert_eq!(sent.status(), StatusCode::SEE_OTHER);
        let cookie = sent.headers()["set-cookie"].to_str().unwrap().to_owned();
        for word in ["__Host-elevenwire=", "; Path=/", "; Secure", "; HttpOnly", "; SameSite=Lax", "; Max-Age=43200"] {
            assert!(cookie.contains(word), "{cookie}");
        }
        assert!(!cookie.contains(token), "the cookie is not the token");
        Self { http, url, cookie: cookie.split(';').next().unwrap().to_owned() }
    }

    async fn get(&self, path: &str) -> reqwest::Response {
        self.http.get(format!("{}{path}", self.url)).header("Cookie", &self.cookie).send().await.unwrap()
    }

    async fn page(&self, path: &str) -> String {
        let got = self.get(path).await;
        assert_eq!(got.status(), StatusCode::OK, "{path}");
        got.text().await.unwrap()
    }

    async fn post(&self, path: &str, fields: &[(&str, &str)]) -> reqwest::Response {
        let sent = self.http.post(format!("{}{path}", self.url)).header("Cookie", &self.cookie).form(fields);
        sent.send().await.unwrap()
    }

    async fn csrf(&self) -> String {
        let page = self.page("").await;
        page.split_once("name=\"csrf\" value=\"").unwrap().1.split('"').next().unwrap().to_owned()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_not_signed_in_sees_nothing_and_changes_nothing() {
    let world = World::start().await;
    let nobody = Visitor { cookie: "__Host-elevenwire=guessed".to_owned(), ..Visitor::sign_in(&world, TOKEN).await };
    for path in ["", "/calls", "/campaigns", "/system", "/calls/x/recording"] {
        let got = nobody.get(path).await;
        assert!(
            got.status() == StatusCode::SEE_OTHER && got.headers()["location"].to_str().unwrap().contains("sign-in"),
            "{path}"
        );
    }
    assert_eq!(nobody.post("/stop", &[("what", "all/"), ("reason", "x")]).await.status(), StatusCode::SEE_OTHER);
    assert_eq!(world.get("/api/stops").await["stops"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_needs_the_field_of_its_own_session() {
    let world = World::start().await;
    let (one, other) = (Visitor::sign_in(&world, TOKEN).await, Visitor::sign_in(&world, TOKEN).await);
    let foreign = other.csrf().await;
    for csrf in ["", "x", foreign.as_str()] {
        let sent = one.post("/stop", &[("what", "all/"), ("reason", "x"), ("csrf", csrf)]).await;
        assert_eq!(sent.status(), StatusCode::FORBIDDEN, "{csrf}");
    }
    assert_eq!(world.get("/api/stops").await["stops"], json!([]));
    let sent = one.post("/stop", &[("what", "all/"), ("reason", "x"), ("csrf", &one.csrf().await)]).await;
    assert_eq!(sent.status(), StatusCode::SEE_OTHER);
    let foreign = one.http.post(format!("{}/sign-in", one.url)).header("Sec-Fetch-Site", "cross-site");
    assert_eq!(foreign.form(&[("token", TOKEN)]).send().await.unwrap().status(), StatusCode::FORBIDDEN);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_may_read_sees_no_button_that_would_be_refused() {
    let world = World::start().await;
    let call = world.call("+14155550101").await;
    let reader = Visitor::sign_in(&world, READ_TOKEN).await;
    for path in [
        String::new(),
        "/stop".to_owned(),
        "/suppressions".to_owned(),
        format!("/calls/{call}"),
        "/numbers/+14155550101".to_owned(),
    ] {
        let page = reader.page(&path).await;
        let forms = page.matches("method=\"post\"").count();
        assert_eq!((forms, page.contains("class=\"stop\"")), (1, false), "{path}: only signing out");
    }
    let csrf = reader.csrf().await;
    let end = format!("/calls/{call}/end");
    for (path, fields) in [
        ("/stop", vec![("what", "all/"), ("reason", "x")]),
        (end.as_str(), vec![]),
        ("/suppressions", vec![("number", "+14155550101"), ("reason", "x")]),
    ] {
        let fields: Vec<(&str, &str)> = fields.into_iter().chain([("csrf", csrf.as_str())]).collect();
        assert_eq!(reader.post(path, &fields).await.status(), StatusCode::FORBIDDEN, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_go_back_by_whoever_may_do_everything_and_says_that_the_cause_is_mended() {
    let world = World::start().await;
    let call = world.call("+14155550101").await;
    world.settled(call).await;
    let letter = json!({ "kind": "carrier", "call_id": call, "fields": { "To": "+14155550101" } });
    world.cloud.call_events.queue().send(&letter).await.unwrap();
    world.pump().await;
    let caller = Visitor::sign_in(&world, CALL_TOKEN).await;
    let page = caller.page("/system").await;
    assert!(page.contains("not one of ours") && page.contains(&format!("calls/{call}")), "{page}");
    assert!(!page.contains("555 0101") && !page.contains("redrive"), "neither a body nor a button");
    let path = "/dead-letters/call-events/redrive";
    let csrf = caller.csrf().await;
    let sent = caller.post(path, &[("csrf", &csrf), ("mended", "yes")]).await;
    assert_eq!(sent.status(), StatusCode::FORBIDDEN);
    let admin = Visitor::sign_in(&world, TOKEN).await;
    assert!(admin.page("/system").await.contains("call-events/redrive"));
    let csrf = admin.csrf().await;
    assert_eq!(admin.post(path, &[("mended", "yes")]).await.status(), StatusCode::FORBIDDEN);
    assert_eq!(admin.post(path, &[("csrf", &csrf)]).await.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let sent = admin.post(path, &[("csrf", &csrf), ("mended", "yes")]).await;
    assert_eq!(sent.headers()["location"], "../../system?sent=1#dead-letters");
    assert!(admin.page("/system?sent=1").await.contains("1 message was sent back"));
    assert_eq!(world.cloud.call_events.queue().load().await.unwrap().waiting, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_ends_by_signing_out_and_with_its_time() {
    let world = World::start().await;
    let (one, other) = (Visitor::sign_in(&world, TOKEN).await, Visitor::sign_in(&world, TOKEN).await);
    let csrf = one.csrf().await;
    assert_eq!(one.post("/sign-out", &[("csrf", &csrf)]).await.status(), StatusCode::SEE_OTHER);
    assert_eq!(one.get("").await.status(), StatusCode::SEE_OTHER);
    assert_eq!(other.get("").await.status(), StatusCode::OK);
    world.clock.advance(std::time::Duration::from_secs(12 * 3600 + 1));
    assert_eq!(other.get("").await.status(), StatusCode::SEE_OTHER);
    Visitor::sign_in(&world, TOKEN).await;
    assert_eq!(world.database.count("select count(*) from console_sessions").await, 1, "what is over is cleared away");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_people_say_never_becomes_markup() {
    let world = World::start().await;
    let id = world.call("+14155550101").await;
    world.settled(id).await;
    let said = json!([{ "role": "user", "time_in_call_secs": 1, "message": "<script>alert(1)</script> \u{202E}backwards\u{2066}" }]);
    let client = world.database.client().await;
    let sql = "update conversations set messages = $1, summary = '\"><img src=x onerror=alert(2)>'";
    client.execute(sql, &[&said]).await.unwrap();
    let visitor = Visitor::sign_in(&world, TOKEN).await;
    let got = visitor.get(&format!("/calls/{id}")).await;
    let policy = got.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(
        policy.contains("default-src 'none'")
            && policy.contains("media-src 'self' http://")
            && !policy.contains("unsafe"),
        "{policy}"
    );
    let page = got.text().await.unwrap();
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;") && !page.contains("<script>"), "{page}");
    assert!(!page.contains("<img") && !page.contains('\u{202E}') && !page.contains('\u{2066}'));
    assert!(!page.contains("style=\"") && !page.contains(" onclick"), "the policy would refuse it");
    for (path, name) in [("/calls?outcome=nice", "outcome"), ("/numbers/415", "number")] {
        let got = visitor.get(path).await;
        assert_eq!((got.status(), got.text().await.unwrap().contains(name)), (StatusCode::UNPROCESSABLE_ENTITY, true));
    }
    assert_eq!(visitor.get("/calls/nothing").await.status(), StatusCode::NOT_FOUND);
}
