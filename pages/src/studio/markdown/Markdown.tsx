import { memo, useMemo } from 'react'
import { CopyButton } from '../../shared/ui.tsx'
import { parseBlocks, type Block } from './blocks.ts'
import { inline } from './inline.tsx'

/** A model's Markdown. While it streams in, only the blocks that change are rendered anew. */
export function Markdown ({ text }: { text: string }) {
  const blocks = useMemo(() => below(parseBlocks(text)), [text])
  return <div className='markdown'>{blocks.map((block, index) => <BlockView key={index} block={block} source={JSON.stringify(block)} />)}</div>
}

/** Headings as the page's second level and below, whichever level the model begins with. */
function below (blocks: Block[]): Block[] {
  const highest = Math.min(...blocks.map(block => block.type === 'heading' ? block.level : Infinity))
  return blocks.map(block => block.type === 'heading' ? { ...block, level: block.level - highest + 2 } : block)
}

interface BlockViewProps {
  block: Block
  /** Tells a block from another. */
  source: string
}

const BlockView = memo(function BlockView ({ block }: BlockViewProps) {
  switch (block.type) {
    case 'paragraph': return <p>{inline(block.text)}</p>
    case 'heading': {
      const Heading = `h${Math.min(6, block.level)}` as 'h2'
      return <Heading>{inline(block.text)}</Heading>
    }
    case 'code': return <CodeBlock language={block.language} text={block.text} />
    case 'quote': return <blockquote><Blocks blocks={block.blocks} /></blockquote>
    case 'list': return block.ordered
      ? <ol start={block.start}><Items items={block.items} /></ol>
      : <ul><Items items={block.items} /></ul>
    case 'table': return (
      <div className='table-scroll' tabIndex={0} role='region' aria-label='Table'>
        <table>
          <thead><tr>{block.head.map((cell, index) => <th key={index} scope='col'>{inline(cell)}</th>)}</tr></thead>
          <tbody>{block.rows.map((row, index) => <tr key={index}>{row.map((cell, place) => <td key={place}>{inline(cell)}</td>)}</tr>)}</tbody>
        </table>
      </div>
    )
    case 'rule': return <hr />
  }
}, (before, after) => before.source === after.source)

function Blocks ({ blocks }: { blocks: Block[] }) {
  return blocks.map((block, index) => <BlockView key={index} block={block} source={JSON.stringify(block)} />)
}

function Items ({ items }: { items: Block[][] }) {
  return items.map((item, index) => (
    <li key={index}>{item.length === 1 && item[0]?.type === 'paragraph' ? inline(item[0].text) : <Blocks blocks={item} />}</li>
  ))
}

function CodeBlock ({ language, text }: { language: string, text: string }) {
  return (
    <figure className='code-block'>
      <figcaption className='row spread'><span>{language === '' ? 'Code' : language}</span><CopyButton text={text} label='Copy code' /></figcaption>
      <pre tabIndex={0} aria-label={language === '' ? 'Code' : `Code in ${language}`}><code>{text}</code></pre>
    </figure>
  )
}
