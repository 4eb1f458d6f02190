import { ref } from 'vue'

type Theme = 'system' | 'light' | 'dark'
const ORDER: Theme[] = ['system', 'light', 'dark']
const set = document.documentElement.dataset.theme

export const theme = ref<Theme>(set === 'light' || set === 'dark' ? set : 'system')

export function nextTheme(): void {
  theme.value = ORDER[(ORDER.indexOf(theme.value) + 1) % ORDER.length]!
  if (theme.value === 'system') delete document.documentElement.dataset.theme
  else document.documentElement.dataset.theme = theme.value
  try {
    localStorage.setItem('theme', theme.value)
  } catch {
    /* Storage is blocked: the choice lasts as long as the page. */
  }
}
