/* Finds the texts of the dashboard in its sources: what goes through t(), and what is shown without. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

import ts from 'typescript'
import { parse } from 'vue/compiler-sfc'

const SRC = join(import.meta.dirname, '../src')
const BOUND = new Set(['title', 'placeholder', 'aria-label', 'aria-roledescription', 'aria-valuetext', 'alt', 'label', 'note', 'empty-text', 'any', 'heading', 'action', 'summary', 'under', 'text'])
/** Elements with code in them, and the names of keys. */
const CODE = new Set(['code', 'pre'])
const LETTERS = /\p{L}{2}/u
/** How a string in a script looks that people read: it begins with a capital, or has several words. */
const SENTENCE = /^[A-Z][a-z]|\p{Ll}[,:;’”]? [\p{L}“(0-9]/u
/** Properties of objects in scripts that people read. */
const PROPERTIES = new Set(['text', 'title', 'label', 'note', 'about', 'under', 'hint'])
/** Names of things, examples of code, and what browsers and the API understand. */
const ALLOWED = new RegExp(
  [
    '^Analytics$|^Global Privacy Control$|^Do Not Track$|^JSON Web Tokens$|^WhatsApp$|^(CSV|PNG|SVG|Esc|MRR|LTV : CAC)$|^p\\d\\d$|^daw_selected$|^genre_detected$',
    '^event_data\\.|^event_type is_not |^page_view=|^https://|^ops@|^curl |-H \'|^ms$|^[KMGT]?B$',
    '^(Content-Type|X-CSRF-Token|Bearer|Escape|ArrowLeft|ArrowRight|ArrowUp|ArrowDown|Home|End|Tab)$',
    '^M[\\d ]|^rgb|^stroke-|^opacity |^paint-order |^letter-spacing |^text-anchor |^Inter, |^(svg|input), |^form input|^\\(pointer: ',
  ].join('|'),
)

type Node = { type: number; loc: { start: { offset: number; line: number }; source: string }; tag?: string; children?: Node[]; props?: Property[]; content?: unknown }
type Property = { type: number; name: string; value?: { content: string }; exp?: { loc: { source: string } }; arg?: { content: string } }
export interface Found {
  /** Texts that are passed to t() as they stand. */
  used: Set<string>
  /** What is shown as it stands in the source. */
  raw: string[]
}

/** The literals that an expression can come to: those of calls, keys and comparisons are none. */
function values(node: ts.Node): ts.Node[] {
  if (ts.isParenthesizedExpression(node) || ts.isAsExpression(node) || ts.isNonNullExpression(node)) return values(node.expression)
  if (ts.isConditionalExpression(node)) return [...values(node.whenTrue), ...values(node.whenFalse)]
  if (ts.isStringLiteralLike(node)) return [node]
  if (ts.isTemplateExpression(node)) return [node.head, ...node.templateSpans.flatMap((span) => [...values(span.expression), span.literal])]
  if (!ts.isBinaryExpression(node)) return []
  const { kind } = node.operatorToken
  if (kind === ts.SyntaxKind.AmpersandAmpersandToken) return values(node.right)
  return [ts.SyntaxKind.QuestionQuestionToken, ts.SyntaxKind.BarBarToken, ts.SyntaxKind.PlusToken].includes(kind) ? [...values(node.left), ...values(node.right)] : []
}
const textOf = (node: ts.Node) => (node as ts.LiteralLikeNode).text.trim()

/** Whether an expression is what a property has that people read. */
function valueOfProperty(node: ts.Node): boolean {
  for (let each = node; each.parent; each = each.parent) {
    if (ts.isPropertyAssignment(each.parent)) return PROPERTIES.has(each.parent.name.getText()) && values(each.parent.initializer).includes(node)
  }
  return false
}

function script(code: string, file: string, found: Found): ts.SourceFile {
  const source = ts.createSourceFile(file, code, ts.ScriptTarget.Latest, true)
  const place = (node: ts.Node) => `${file}: ${textOf(node)}`
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node) || ts.isTypeNode(node)) return
    if (ts.isCallExpression(node) && node.expression.getText() === 't') {
      const [text, ...rest] = node.arguments
      for (const each of text ? values(text) : []) if (textOf(each)) found.used.add((each as ts.LiteralLikeNode).text)
      if (text && !ts.isStringLiteralLike(text)) ts.forEachChild(text, visit)
      rest.forEach(visit)
      return
    }
    const { parent } = node
    const inert = parent && ((ts.isPropertyAssignment(parent) && parent.name === node) || ts.isElementAccessExpression(parent) || (ts.isBinaryExpression(parent) && /^[!=]==?$/.test(parent.operatorToken.getText())))
    if ((ts.isStringLiteralLike(node) || ts.isTemplateHead(node) || ts.isTemplateMiddleOrTemplateTail(node)) && !inert && (SENTENCE.test(textOf(node)) || (LETTERS.test(textOf(node)) && valueOfProperty(node))) && !ALLOWED.test(textOf(node))) found.raw.push(place(node))
    ts.forEachChild(node, visit)
  }
  visit(source)
  return source
}

/** An expression of a template; `shown` if what it comes to is read by people. */
function expression(code: string, file: string, found: Found, shown: boolean): void {
  const source = script(`(${code})`, file, found)
  const [statement] = source.statements
  if (!shown || !statement || !ts.isExpressionStatement(statement)) return
  for (const each of values(statement.expression)) if (LETTERS.test(textOf(each)) && !ALLOWED.test(textOf(each))) found.raw.push(`${file}: ${textOf(each)}`)
}

function template(node: Node, file: string, found: Found): void {
  for (const child of node.children ?? []) {
    const text = child.loc.source.trim()
    if (child.type === 2 && LETTERS.test(text) && !ALLOWED.test(text)) found.raw.push(`${file}: ${text}`)
    if (child.type === 5) expression((child.content as Node).loc.source, file, found, true)
    if (child.type !== 1 || CODE.has(child.tag!) || (child.props ?? []).some((each) => each.name === 'class' && each.value?.content === 'kbd')) continue
    for (const each of child.props ?? []) {
      const shown = (name?: string) => BOUND.has(name ?? '') || (name === 'name' && child.tag === 'About')
      if (each.type === 6 && shown(each.name) && LETTERS.test(each.value?.content ?? '') && !ALLOWED.test(each.value!.content)) found.raw.push(`${file}: ${each.name}="${each.value!.content}"`)
      if (each.type === 7 && each.exp && each.name !== 'for' && each.name !== 'slot') expression(each.exp.loc.source, file, found, each.name === 'bind' && shown(each.arg?.content))
    }
    template(child, file, found)
  }
}

/** What one file shows. */
export function textsOf(file: string, code: string, found: Found): Found {
  if (file.endsWith('.ts')) script(code, file, found)
  else {
    const { descriptor } = parse(code)
    if (descriptor.scriptSetup) script(descriptor.scriptSetup.content, file, found)
    if (descriptor.template?.ast) template(descriptor.template.ast as unknown as Node, file, found)
  }
  return found
}
export const nothing = (): Found => ({ used: new Set(), raw: [] })

/** What all sources show. */
export function findTexts(): Found {
  const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter((file) => /\.(vue|ts)$/.test(file) && !file.endsWith('.d.ts') && !file.startsWith('messages'))
  return files.sort().reduce((found, file) => textsOf(file, readFileSync(join(SRC, file), 'utf8'), found), nothing())
}
