/** Names and texts, on the device where that is allowed and works, else in memory. Never throws. */
export interface Store {
  get(name: string): string | null
  /** `device` says whether on the device; default is what `persist` said. */
  set(name: string, value: string, device?: boolean): void
  remove(name: string): void
  /** All names that start so, sorted. */
  names(start: string): string[]
  /** From now on keep everything on the device (and move there what is in memory), or only in memory. */
  persist(on: boolean): void
}

export function createStore(inPage: boolean): Store {
  const memory = new Map<string, string>()
  let persistent = false

  // Even reading the property `localStorage` throws where cookies are blocked.
  const disk = <T>(use: (storage: Storage) => T) => {
    try {
      return inPage ? use(localStorage) : null
    } catch {
      return null
    }
  }
  const set = (name: string, value: string, device = persistent) => {
    memory.set(name, value)
    if (device)
      disk((storage) => {
        storage.setItem(name, value)
        memory.delete(name)
      })
  }

  return {
    get: (name) => memory.get(name) ?? disk((storage) => storage.getItem(name)),
    set,
    remove(name) {
      memory.delete(name)
      disk((storage) => storage.removeItem(name))
    },
    names: (start) =>
      [...new Set([...memory.keys(), ...(disk(Object.keys) ?? [])])].filter((name) => name.startsWith(start)).sort(),
    persist(on) {
      persistent = on
      memory.forEach((value, name) => set(name, value))
    },
  }
}
