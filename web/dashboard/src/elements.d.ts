import 'vue'

declare module 'vue' {
  interface HTMLAttributes {
    popover?: '' | 'auto' | 'manual'
  }
  interface ButtonHTMLAttributes {
    popovertarget?: string
  }
}
