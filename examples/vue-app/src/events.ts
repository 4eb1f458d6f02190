/** What this shop tells about its visitors; `track` takes nothing else. */
export interface ShopEvents {
  signup_completed: { plan: 'free' | 'pro' }
  banner_seen: { slot: number }
  generation_started: { style: string }
  generation_completed: { style: string; duration_ms: number }
  generation_failed: { style: string; duration_ms: number; error: string }
  link_created: object
  help_opened: { topic: string }
  offer_seen: object
}
