/* A text with elements in it: `{name}` is the slot of that name. */
import type { FunctionalComponent } from 'vue'

const Sentence: FunctionalComponent<{ text: string }> = ({ text }, { slots }) => text.split(/\{(\w+)\}/).map((part, place) => (place % 2 ? slots[part]?.() : part))
export default Sentence
