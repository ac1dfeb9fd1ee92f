"""A small hand-made folder of canonical feeds, with every kind of event that the first rooms mine."""

from __future__ import annotations

from pathlib import Path

FEEDS = {
    "customers": """
        customer_id,joined_at,consent_marketing,phone,email,home_lat,home_lon
        ann,2024-01-01,true,+86 138 0013 8000,ann@example.com,25.03,121.56
        bob,2024-01-05,false,,bob@example.com,,
        cleo,2024-02-01,,,,,
        dan,2024-06-01,true,,dan@example.com,,
    """,
    "merchants": """
        merchant_id,name,category
        noodle,麵館,restaurant
        spa,溫泉,beauty
    """,
    "campaigns": """
        campaign_id,name,channel,merchant_id,starts_at,ends_at,budget
        spring,Spring,social,noodle,2024-03-01,2024-04-01,100.00
        idle,Idle,map,spa,2024-03-01,2024-04-01,
    """,
    "campaign_costs": """
        campaign_id,channel,spent_on,cost
        spring,social,2024-03-01,30.00
        idle,map,2024-03-02,5.00
    """,
    "coupons": """
        coupon_id,merchant_id,campaign_id,kind,threshold,discount,valid_days,ends_at
        ten,noodle,spring,threshold,50,10,14,2024-04-01
    """,
    "touches": """
        touch_id,customer_id,touched_at,channel,campaign_id,action,tracking_code
        t1,ann,2024-03-01 08:00:00,social,spring,click,
        t2,ann,2024-03-02 08:00:00,search,,visit,
        t3,ann,2024-03-03 08:00:00,map,,click,
        t4,bob,2024-03-03 08:00:00,search,,click,CODE1
        t5,cleo,2024-01-10 08:00:00,display,,impression,
    """,
    "coupon_receipts": """
        receipt_id,customer_id,coupon_id,received_at,channel
        rc1,ann,ten,2024-03-01 09:00:00,social
        rc2,bob,ten,2024-03-01 09:00:00,social
    """,
    "online_orders": """
        order_id,customer_id,merchant_id,ordered_at,channel,list_amount,paid_amount,coupon_id,receipt_id,status,cancelled_at,refunded_at,refunded_amount,tracking_code
        o1,ann,noodle,2024-03-04 12:00:00,map,60.00,50.00,ten,rc1,paid,,,,
        o2,bob,spa,2024-03-05 12:00:00,search,80.00,80.00,,,refunded,,2024-03-10 12:00:00,20.00,CODE1
        o3,bob,spa,2024-03-06 12:00:00,search,80.00,80.00,,,cancelled,2024-03-07 12:00:00,,,
    """,
    "offline_redemptions": """
        redemption_id,customer_id,merchant_id,store_id,redeemed_at,order_id,list_amount,paid_amount
        r1,ann,noodle,s1,2024-03-05 18:00:00,o1,,0
        r2,cleo,noodle,s1,2024-03-08 18:00:00,,12.30,12.30
        r3,cleo,noodle,s1,2024-03-20 18:00:00,,7.70,7.70
    """,
}


def write(folder: Path, *feeds: str) -> Path:
    """Write the named feeds, or all, into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in feeds or FEEDS:
        lines = [line.strip() for line in FEEDS[name].strip().splitlines()]
        (folder / f"{name}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder
