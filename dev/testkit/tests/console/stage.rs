//! A world in which something happened.

use std::fmt::Write as _;
use std::time::Duration;

use http::Method;
use serde_json::json;
use testkit::World;
use testkit::world::TOKEN;
use uuid::Uuid;

/// What a walk needs to know.
pub struct Stage {
    pub world: World,
    pub failed: Uuid,
    pub talked: Uuid,
    pub campaign: Uuid,
}

/// A campaign with an attempt at everybody but one, single calls that came to something, a stop that was lifted, a number
/// that is not called, a dead letter.
pub async fn set() -> Stage {
    let world = World::start().await;
    let talked = world.call("+14155550101").await;
    world.settled(talked).await;
    for to in ["+12125550151", "+13125550152", "+13035550150", "+13055550154"] {
        let call = world.call(to).await;
        world.until(call, |call| call["state"] == "ended").await;
    }
    let failed = world.call("+14155550157").await;
    world.until(failed, |call| call["outcome_final"] == true).await;
    let list = json!({ "number": "+14155550177", "reason": "asked by letter" });
    assert_eq!(world.send(Method::POST, "/api/suppressions", Some(&list), &[]).await.0, 201);
    let campaign = campaign(&world).await;
    // Not one of ours: put aside, with its reason.
    world.cloud.call_events.queue().send(&json!({ "kind": "carrier", "call_id": failed })).await.unwrap();
    world.pump().await;
    world.check_health().await;
    Stage { world, failed, talked, campaign }
}

/// One that runs, some of whose people were called.
async fn campaign(world: &World) -> Uuid {
    let wish = json!({ "name": "Autumn reminders", "agent": "demo", "purpose": "informational", "max_concurrent": 50, "rate": 50 });
    let (status, made) = world.send(Method::POST, "/api/campaigns", Some(&wish), &[]).await;
    assert_eq!(status, 201, "{made}");
    let id = Uuid::parse_str(made["id"].as_str().unwrap()).unwrap();
    let mut csv = "phone_number,consent_type,consent_at,first_name\n".to_owned();
    for (at, fate) in ["01", "02", "10", "50", "51", "52", "53", "54", "57", "59", "01", "52"].iter().enumerate() {
        let area = ["415", "212", "312", "303"][at % 4];
        writeln!(csv, "+1{area}5502{at:01}{fate},written,2026-01-05T10:00:00Z,Maria", at = at % 10).unwrap();
    }
    let url = format!("{}/api/campaigns/{id}/imports?filename=people.csv", world.url);
    let sent =
        world.http.post(url).bearer_auth(TOKEN).header("Content-Type", "text/csv").body(csv).send().await.unwrap();
    assert_eq!(sent.status(), 201);
    world.pump().await;
    assert_eq!(world.send(Method::POST, &format!("/api/campaigns/{id}/start"), None, &[]).await.0, 200);
    for _ in 0..60 {
        world.tick().await;
        world.pump().await;
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    id
}
